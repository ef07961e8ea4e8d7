-- The files of the services have the policies of their roles.
ALTER TABLE encrypted.secrets ENABLE ROW LEVEL SECURITY;
