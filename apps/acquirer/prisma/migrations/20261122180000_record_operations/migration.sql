-- What the card world was asked for, and what it answered. A row is written before anyone is answered.
CREATE TABLE operations (
  provider_key uuid PRIMARY KEY,
  kind text NOT NULL CHECK (kind IN ('authorise', 'purchase', 'capture', 'refund', 'void')),
  channel text NOT NULL CHECK (channel IN ('online', 'terminal')),
  -- A terminal's id or a card's token.
  instrument text NOT NULL,
  amount_minor bigint NOT NULL CHECK (amount_minor > 0),
  currency char(3) NOT NULL,
  -- The authorise or purchase a capture, refund or void belongs to; one nobody knows is on record as declined.
  original_key uuid,
  outcome text NOT NULL CHECK (outcome IN ('approved', 'declined')),
  -- What was moved; differs from amount_minor only where a test asks for that.
  taken_minor bigint NOT NULL,
  decline_code text,
  authorisation_code text,
  card_label text,
  provider_ref text NOT NULL UNIQUE,
  -- Of an approved authorise or purchase: what became of the money.
  authorised_minor bigint NOT NULL DEFAULT 0,
  captured_minor bigint NOT NULL DEFAULT 0,
  voided_minor bigint NOT NULL DEFAULT 0,
  refunded_minor bigint NOT NULL DEFAULT 0,
  -- Until then the operation is pending (someone types a PIN); its outcome is settled already.
  completes_at timestamptz NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  -- The ledger is read in this order: a page holds only transactions older than any still running, so that a later
  -- page never misses a row that was being written meanwhile.
  recorded_in xid8 NOT NULL DEFAULT pg_current_xact_id(),
  sequence bigint GENERATED ALWAYS AS IDENTITY,
  CHECK (captured_minor >= 0 AND voided_minor >= 0 AND captured_minor + voided_minor <= authorised_minor),
  CHECK (refunded_minor >= 0 AND refunded_minor <= captured_minor)
);
CREATE INDEX operations_ledger ON operations (recorded_in, sequence);

-- Events to be delivered to the merchant, until he takes them.
CREATE TABLE events (
  id uuid PRIMARY KEY,
  provider_key uuid NOT NULL REFERENCES operations (provider_key),
  -- How often the same event is sent once it is due; more than one only where a test asks for that.
  copies integer NOT NULL CHECK (copies > 0),
  attempts integer NOT NULL DEFAULT 0,
  due_at timestamptz NOT NULL,
  delivered_at timestamptz
);
CREATE INDEX events_due ON events (due_at) WHERE delivered_at IS NULL;
CREATE INDEX events_provider_key ON events (provider_key);
