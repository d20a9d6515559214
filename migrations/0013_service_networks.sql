-- The networks from which a service account named a client's address, at most 100 for each account.
CREATE TABLE service_networks (
    service_account_id INTEGER NOT NULL REFERENCES service_accounts (id) ON DELETE CASCADE,
    -- The keyed hash of the network, as in throttles.
    network_tag TEXT NOT NULL,
    first_used_at INTEGER NOT NULL,
    PRIMARY KEY (service_account_id, network_tag)
) STRICT, WITHOUT ROWID;
