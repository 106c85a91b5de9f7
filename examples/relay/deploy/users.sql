-- Users of SIP and of the relays in one table of PostgreSQL: Kamailio's subscriber, which kamdbctl makes (version 7, Kamailio 5.6). Run it once, as its owner.
--
-- A user is name and domain; the domain is also the realm. Kamailio reads ha1, which is MD5 of name:realm:password, and never the column password, which stays
-- empty. The relays prefer SHA-256 of the same, which this adds.
ALTER TABLE subscriber ADD COLUMN ha1_sha256 VARCHAR(64) NOT NULL DEFAULT '';

-- The relays read these columns and nothing else. Who has HA1 values can log in as those users: give nobody more than this.
CREATE ROLE msrprelay LOGIN;
GRANT SELECT (username, domain, ha1, ha1_sha256) ON subscriber TO msrprelay;

-- New users come from a file that "relay adduser" wrote, so no password passes through SQL or its log:
--   \copy subscriber (username, domain, ha1, ha1_sha256) FROM 'users' (DELIMITER ':')
