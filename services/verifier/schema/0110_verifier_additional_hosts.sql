-- The other hosts to which a login is tried. An index finds the logins that wait after a refusal at one of them.
ALTER TABLE verifier.schedule ADD COLUMN additional_hosts text[] NOT NULL DEFAULT '{}';
CREATE INDEX schedule_additional_hosts ON verifier.schedule USING gin (additional_hosts) WHERE additional_hosts <> '{}';
