-- Everything that one environment's TraderX keeps. Times are milliseconds since 1970, prices US cents.
-- IDENTITY_KEY stands for the database's own rising number.

CREATE TABLE IF NOT EXISTS ledger_version (version BIGINT NOT NULL);

CREATE TABLE IF NOT EXISTS accounts (
    id BIGINT PRIMARY KEY,
    display_name VARCHAR(50) NOT NULL,
    -- What accepted orders added to the opening balance. A sum over the trades would grow with them.
    moved_cents BIGINT NOT NULL DEFAULT 0
);

CREATE TABLE IF NOT EXISTS account_users (
    account_id BIGINT NOT NULL REFERENCES accounts (id),
    username VARCHAR(15) NOT NULL,
    PRIMARY KEY (account_id, username)
);

CREATE TABLE IF NOT EXISTS sequences (
    name VARCHAR(30) PRIMARY KEY,
    last_number BIGINT NOT NULL
);

-- An accepted order is a row here from the start: its state tells how far it came.
CREATE TABLE IF NOT EXISTS trades (
    seq IDENTITY_KEY,
    id VARCHAR(50) NOT NULL UNIQUE,
    account_id BIGINT NOT NULL REFERENCES accounts (id),
    security VARCHAR(15) NOT NULL,
    side VARCHAR(10) NOT NULL CHECK (side IN ('Buy', 'Sell')),
    quantity BIGINT NOT NULL CHECK (quantity > 0),
    price_cents BIGINT,
    state VARCHAR(20) NOT NULL CHECK (state IN ('New', 'Processing', 'Settled', 'Cancelled')),
    created BIGINT NOT NULL,
    updated BIGINT NOT NULL,
    traceparent VARCHAR(60) NOT NULL
);

CREATE INDEX IF NOT EXISTS trades_by_account ON trades (account_id, updated);

CREATE INDEX IF NOT EXISTS trades_by_update ON trades (updated);

-- What the processors look for, small however many trades were settled.
CREATE INDEX IF NOT EXISTS trades_to_book ON trades (seq) WHERE state = 'New';

CREATE TABLE IF NOT EXISTS positions (
    position_id IDENTITY_KEY,
    account_id BIGINT NOT NULL REFERENCES accounts (id),
    security VARCHAR(15) NOT NULL,
    quantity BIGINT NOT NULL,
    updated BIGINT NOT NULL,
    UNIQUE (account_id, security)
);

-- Messages for the feed, written in the transaction that makes them true, deleted once sent.
-- A row is a sender's own until leased_until, then anybody may send it.
CREATE TABLE IF NOT EXISTS outbox (
    seq IDENTITY_KEY,
    topic VARCHAR(200) NOT NULL,
    type VARCHAR(50) NOT NULL,
    payload TEXT NOT NULL,
    traceparent VARCHAR(60) NOT NULL,
    leased_until BIGINT NOT NULL
);
