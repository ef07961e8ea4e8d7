-- The query API says at once that a `Regcred-Wait-For` names no event.
GRANT SELECT (version) ON es.streams TO regcred_query;
