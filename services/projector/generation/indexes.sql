-- The indexes of a generation, created after its rows (`projector/write/indexes.py`). Each line is one statement.

CREATE INDEX credentials_by_name ON credentials (account_id, lower(name), credential_id);
CREATE INDEX credentials_unreadable ON credentials (credential_id) WHERE verification_code = 'secret_unreadable';
CREATE INDEX usages_of_credential ON usages (credential_id, last_used_at, usage_id);
CREATE INDEX verifications_of_credential ON verifications (credential_id, position);

-- Every index of a filter ends with the position, so that a page is one range of one index.
CREATE INDEX audit_of_account ON audit_events (account_id, position);
CREATE INDEX audit_of_credential ON audit_events (credential_id, position);
CREATE INDEX audit_by_action ON audit_events (account_id, action, position);
CREATE INDEX audit_by_actor ON audit_events (account_id, actor_id, position);
CREATE INDEX audit_by_project ON audit_events (account_id, project_id, position) WHERE project_id IS NOT NULL;
CREATE INDEX audit_by_host ON audit_events (account_id, registry_host, position) WHERE registry_host IS NOT NULL;
CREATE INDEX audit_by_outcome ON audit_events (account_id, outcome, position) WHERE outcome <> 'success';
CREATE INDEX audit_by_request ON audit_events (request_id);
-- In the order of bytes, texts with the same beginning are one range.
CREATE INDEX audit_images_by_beginning ON audit_images (account_id, image COLLATE "C", position);
