CREATE TABLE otrchat_owners (
	owner    TEXT COLLATE "C" NOT NULL PRIMARY KEY,
	sequence BIGINT NOT NULL CHECK (sequence >= 1)
);

CREATE TABLE otrchat_contacts (
	owner        TEXT COLLATE "C" NOT NULL REFERENCES otrchat_owners (owner),
	address      TEXT COLLATE "C" NOT NULL CHECK (length(address) BETWEEN 1 AND 512),
	revision     BIGINT NOT NULL CHECK (revision >= 1),
	display_name TEXT NOT NULL CHECK (length(display_name) <= 1024),
	policy       TEXT NOT NULL CHECK (policy IN ('inherit', 'always', 'opportunistic', 'never')),
	note         TEXT NOT NULL CHECK (length(note) <= 16384),
	PRIMARY KEY (owner, address)
);

CREATE TABLE otrchat_keys (
	owner       TEXT COLLATE "C" NOT NULL,
	address     TEXT COLLATE "C" NOT NULL,
	position    BIGINT NOT NULL CHECK (position BETWEEN 0 AND 63),
	fingerprint TEXT NOT NULL CHECK (length(fingerprint) = 44),
	first_seen  BIGINT,
	last_seen   BIGINT,
	trust       TEXT NOT NULL CHECK (trust IN ('unverified', 'verified-smp', 'verified-manually', 'revoked')),
	verified_at BIGINT,
	unannounced BIGINT,
	note        TEXT NOT NULL CHECK (length(note) <= 1024),
	PRIMARY KEY (owner, address, fingerprint),
	FOREIGN KEY (owner, address) REFERENCES otrchat_contacts (owner, address) ON DELETE CASCADE
);
