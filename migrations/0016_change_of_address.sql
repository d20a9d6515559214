-- A change of address, its undo, and links of security notices: purposes of `email_proofs`. Only columns and an index are
-- added, which the previous version does not know.

-- The address that an account is to have; of other purposes, none. Such a proof is mailed to it, and not to `address`.
ALTER TABLE email_proofs ADD COLUMN new_address TEXT;
-- The session that asked for it; of other purposes, none. Once it has ended, its flow is no evidence any more.
ALTER TABLE email_proofs ADD COLUMN session_id INTEGER;

-- While a change can be undone, no other account gets the former address. Rows of other purposes are not in the index, so
-- their cost stays.
CREATE INDEX email_proofs_that_reserve ON email_proofs (address, expires_at, user_id) WHERE purpose = 'undo';
