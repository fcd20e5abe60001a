-- What every service's database has: recorded answers, and a way for one statement to refuse itself.

CREATE TABLE idempotency_keys (
  scope text PRIMARY KEY,
  fingerprint text NOT NULL,
  -- NULL while a multi-step write is under way.
  status integer,
  answer text,
  -- What a multi-step write works on, so that a repeated request can resume it.
  subject text,
  created_at timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz NOT NULL
);
CREATE INDEX idempotency_keys_expires_at ON idempotency_keys (expires_at);

-- Rolls the calling statement back with SQLSTATE KA001 and the reason as its message, unless ok is true.
CREATE FUNCTION kassa_expect(ok boolean, reason text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  IF ok IS NOT TRUE THEN
    RAISE EXCEPTION USING ERRCODE = 'KA001', MESSAGE = reason;
  END IF;
  RETURN true;
END $$;

-- What sales keeps of inventory's rows, fed by its change stream. Nothing here refers to them: a sale outlives its product.

CREATE TABLE shops (
  id text PRIMARY KEY,
  gln text NOT NULL,
  name text NOT NULL,
  country text NOT NULL,
  address text NOT NULL,
  postal_code text NOT NULL,
  city text NOT NULL,
  time_zone text NOT NULL,
  status text NOT NULL,
  -- Who sells there in law, and their number in the country's register.
  seller text NOT NULL,
  seller_number text NOT NULL
);

CREATE TABLE products (
  sku text PRIMARY KEY,
  gtin text NOT NULL,
  name text NOT NULL,
  item_group text NOT NULL,
  is_serialised boolean NOT NULL,
  is_active boolean NOT NULL
);
-- Not unique: two products may swap their numbers, and arrive one after the other.
CREATE INDEX products_gtin ON products (gtin);

-- Up to where the feed is stored; one row at most.
CREATE TABLE feed_position (
  is_only boolean PRIMARY KEY DEFAULT true CHECK (is_only),
  epoch text NOT NULL,
  seq bigint NOT NULL,
  as_of timestamptz NOT NULL
);

-- Prices and registers come from the retailer's own system.

CREATE EXTENSION IF NOT EXISTS btree_gist;

-- Shelf prices including VAT, valid [valid_from, valid_to) in the shop's zone; without valid_to, until further notice.
CREATE TABLE prices (
  country text NOT NULL,
  sku text NOT NULL,
  valid_from date NOT NULL,
  valid_to date,
  price_minor bigint NOT NULL CHECK (price_minor >= 0),
  currency text NOT NULL,
  PRIMARY KEY (country, sku, valid_from),
  CHECK (valid_to > valid_from),
  CONSTRAINT prices_do_not_overlap EXCLUDE USING gist (country WITH =, sku WITH =, daterange(valid_from, valid_to) WITH &&)
);

CREATE TABLE registers (
  id text PRIMARY KEY,
  shop_id text NOT NULL,
  name text NOT NULL,
  kind text NOT NULL CHECK (kind IN ('desktop', 'mobile', 'web')),
  -- The card terminal beside it; NULL where there is none.
  terminal_id text,
  -- The number of the last receipt given here: the counter behind gapless numbers, moved in the statement that completes a sale.
  last_receipt bigint NOT NULL DEFAULT 0,
  -- The live session and when it signed in (seconds since 1970, as the token says); NULL before the first.
  session_id text,
  session_auth_time bigint
);

CREATE TABLE sales (
  id uuid PRIMARY KEY,
  shop_id text NOT NULL,
  -- Where the sale is worked on; once completed, the register whose number its receipt has.
  register_id text NOT NULL REFERENCES registers (id),
  country text NOT NULL,
  currency text NOT NULL,
  state text NOT NULL CHECK (state IN ('OPEN', 'PARKED', 'TENDERING', 'COMMITTING', 'COMPENSATING', 'COMPLETED', 'ABORTED', 'ABANDONED')),
  version bigint NOT NULL DEFAULT 1,
  -- Checkouts begun so far; the ids at our neighbours derive from it, so a new attempt never meets the last one's.
  attempt integer NOT NULL DEFAULT 0,
  total_minor bigint NOT NULL CHECK (total_minor >= 0),
  rounding_minor bigint NOT NULL DEFAULT 0,
  change_minor bigint NOT NULL DEFAULT 0 CHECK (change_minor >= 0),
  business_date date,
  -- Why the last checkout was undone, until the next begins.
  refusal jsonb,
  receipt_number bigint CHECK (receipt_number > 0),
  -- The frozen document. json, not jsonb: what was issued is kept as it was written.
  receipt json,
  opened_by text NOT NULL,
  -- Milliseconds, as a cursor of a list carries it.
  opened_at timestamptz(3) NOT NULL,
  completed_at timestamptz,
  CHECK ((state = 'COMPLETED') = (receipt_number IS NOT NULL)),
  CHECK ((state = 'COMPLETED') = (receipt IS NOT NULL)),
  CHECK ((state = 'COMPLETED') = (completed_at IS NOT NULL)),
  UNIQUE (register_id, receipt_number)
);
CREATE INDEX sales_shop_id_opened_at ON sales (shop_id, opened_at, id);

CREATE TABLE sale_lines (
  sale_id uuid NOT NULL REFERENCES sales (id),
  line_id uuid NOT NULL,
  position integer NOT NULL,
  sku text NOT NULL,
  gtin text NOT NULL,
  name text NOT NULL,
  item_group text NOT NULL,
  is_serialised boolean NOT NULL,
  quantity integer NOT NULL CHECK (quantity BETWEEN 1 AND 999),
  serials text[] NOT NULL DEFAULT '{}',
  unit_minor bigint NOT NULL CHECK (unit_minor >= 0),
  discount_minor bigint NOT NULL DEFAULT 0 CHECK (discount_minor >= 0),
  vat_bp integer NOT NULL CHECK (vat_bp >= 0),
  gross_minor bigint NOT NULL CHECK (gross_minor >= 0),
  vat_minor bigint NOT NULL,
  net_minor bigint NOT NULL,
  PRIMARY KEY (sale_id, line_id),
  CHECK (gross_minor = quantity * unit_minor - discount_minor),
  CHECK (gross_minor = net_minor + vat_minor)
);

CREATE TABLE sale_tenders (
  sale_id uuid NOT NULL REFERENCES sales (id),
  tender_id uuid NOT NULL,
  -- The checkout it is for: 1 is the sale's first. Tenders of earlier attempts stay, closed.
  attempt integer NOT NULL,
  position integer NOT NULL,
  method text NOT NULL CHECK (method IN ('cash', 'terminal', 'online')),
  capture text NOT NULL CHECK (capture IN ('purchase', 'authorise')),
  -- What it pays of the sale, cash rounding included.
  amount_minor bigint NOT NULL CHECK (amount_minor >= 0),
  -- What was handed over; more than amount_minor for cash with change.
  tendered_minor bigint NOT NULL CHECK (tendered_minor >= amount_minor),
  -- The terminal's id or the gateway's token. Never a card number.
  instrument text,
  intent_id uuid,
  transaction_ids uuid[] NOT NULL DEFAULT '{}',
  status text NOT NULL CHECK (status IN ('PENDING', 'SETTLED', 'DECLINED', 'RETURNED')),
  decline_code text,
  authorisation_code text,
  card_label text,
  PRIMARY KEY (sale_id, tender_id)
);

-- One row per checkout: the frozen plan, and what is still to be done about it. It is also the outbox: after COMPLETED the row stays
-- due until inventory has consumed the reservation.
CREATE TABLE checkouts (
  sale_id uuid NOT NULL REFERENCES sales (id),
  attempt integer NOT NULL,
  phase text NOT NULL CHECK (phase IN ('COMMITTING', 'COMPENSATING', 'CONSUMING', 'ENDED')),
  plan json NOT NULL,
  -- Set from COMPENSATING on: why, and the steps that are being undone, the next one first.
  refusal jsonb,
  undo json,
  -- Counts refunds and voids that were refused and are tried again under new ids.
  undo_round integer NOT NULL DEFAULT 0,
  -- The request that began it, to record its answer under its key.
  key_scope text NOT NULL,
  trace_id text NOT NULL,
  instance text NOT NULL,
  -- Who works on it, and until when on the database's clock; due for anyone after that. NULL when nothing is left to do.
  lease_owner uuid,
  lease_until timestamptz,
  -- How often it was put off, and why the last time (an error code).
  tries integer NOT NULL DEFAULT 0,
  problem text,
  started_at timestamptz(3) NOT NULL DEFAULT now(),
  ended_at timestamptz,
  PRIMARY KEY (sale_id, attempt),
  CHECK ((phase = 'ENDED') = (lease_until IS NULL)),
  CHECK ((phase = 'ENDED') = (ended_at IS NOT NULL))
);
CREATE INDEX checkouts_due ON checkouts (lease_until) WHERE lease_until IS NOT NULL;

-- What operators did by hand. Rows are added and never changed.
CREATE TABLE operator_acts (
  id uuid PRIMARY KEY,
  done_at timestamptz NOT NULL DEFAULT now(),
  subject text NOT NULL,
  act text NOT NULL,
  sale_id uuid NOT NULL,
  attempt integer NOT NULL,
  reason text NOT NULL,
  -- What stood in the checkout before.
  facts jsonb NOT NULL
);

CREATE TABLE imports (
  id uuid PRIMARY KEY,
  kind text NOT NULL,
  -- SHA-256 of the file; NULL until it was read to its end.
  digest text,
  rows integer NOT NULL DEFAULT 0,
  accepted integer NOT NULL DEFAULT 0,
  unchanged integer NOT NULL DEFAULT 0,
  refused integer NOT NULL DEFAULT 0,
  -- Someone reads the file until then; NULL once it is done.
  lease_until timestamptz,
  started_at timestamptz NOT NULL DEFAULT now(),
  finished_at timestamptz
);

CREATE TABLE import_refusals (
  import_id uuid NOT NULL REFERENCES imports (id),
  row integer NOT NULL,
  "column" text NOT NULL,
  code text NOT NULL,
  detail text NOT NULL,
  PRIMARY KEY (import_id, row)
);

-- A completed sale is evidence: neither it nor what belongs to it changes again, whoever asks.

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'a row of % is never changed', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;

CREATE TRIGGER sales_completed_stay BEFORE UPDATE OR DELETE ON sales
  FOR EACH ROW WHEN (OLD.state = 'COMPLETED') EXECUTE FUNCTION refuse_change();

CREATE TRIGGER operator_acts_stay BEFORE UPDATE OR DELETE ON operator_acts
  FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- A tender that has ended as it ended. The cash of a completed sale is no exception.
CREATE TRIGGER sale_tenders_closed_stay BEFORE UPDATE OR DELETE ON sale_tenders
  FOR EACH ROW WHEN (OLD.status <> 'PENDING') EXECUTE FUNCTION refuse_change();

CREATE FUNCTION refuse_change_of_completed() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  changed uuid := CASE TG_OP WHEN 'INSERT' THEN NEW.sale_id ELSE OLD.sale_id END;
BEGIN
  IF EXISTS (SELECT FROM sales WHERE id = changed AND state = 'COMPLETED') THEN
    RAISE EXCEPTION 'a row of % of a completed sale is never changed', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
END $$;

CREATE TRIGGER sale_lines_of_completed_stay BEFORE INSERT OR UPDATE OR DELETE ON sale_lines
  FOR EACH ROW EXECUTE FUNCTION refuse_change_of_completed();

CREATE FUNCTION refuse_truncate() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% is never emptied', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;

CREATE TRIGGER sales_stay BEFORE TRUNCATE ON sales EXECUTE FUNCTION refuse_truncate();
CREATE TRIGGER sale_lines_stay BEFORE TRUNCATE ON sale_lines EXECUTE FUNCTION refuse_truncate();
CREATE TRIGGER sale_tenders_stay BEFORE TRUNCATE ON sale_tenders EXECUTE FUNCTION refuse_truncate();
CREATE TRIGGER operator_acts_stay_all BEFORE TRUNCATE ON operator_acts EXECUTE FUNCTION refuse_truncate();

-- Imports prices row by row, since a row is checked against those before it; earlier periods first, so that a file which ends one
-- price and begins the next may name them in any order. One import writes at a time. Answers for each row: accepted, unchanged or overlap
-- (with the period that is in its way).
CREATE FUNCTION import_prices_v1(incoming jsonb) RETURNS TABLE (n integer, outcome text, other_from date, other_to date) LANGUAGE plpgsql AS $$
DECLARE
  p record;
BEGIN
  PERFORM pg_advisory_xact_lock(hashtext('import_prices'));
  FOR p IN
    SELECT r.* FROM jsonb_to_recordset(incoming) AS r (n integer, country text, sku text, valid_from date, valid_to date, price_minor bigint, currency text)
    ORDER BY r.valid_from, r.n
  LOOP
    n := p.n;
    SELECT o.valid_from, o.valid_to INTO other_from, other_to FROM prices o
      WHERE o.country = p.country AND o.sku = p.sku AND o.valid_from <> p.valid_from
        AND daterange(o.valid_from, o.valid_to) && daterange(p.valid_from, p.valid_to)
      ORDER BY o.valid_from LIMIT 1;
    IF FOUND THEN
      outcome := 'overlap';
    ELSE
      INSERT INTO prices AS o (country, sku, valid_from, valid_to, price_minor, currency)
        VALUES (p.country, p.sku, p.valid_from, p.valid_to, p.price_minor, p.currency)
        ON CONFLICT (country, sku, valid_from) DO UPDATE
          SET valid_to = excluded.valid_to, price_minor = excluded.price_minor, currency = excluded.currency
          WHERE (o.valid_to, o.price_minor, o.currency) IS DISTINCT FROM (excluded.valid_to, excluded.price_minor, excluded.currency);
      outcome := CASE WHEN FOUND THEN 'accepted' ELSE 'unchanged' END;
    END IF;
    RETURN NEXT;
  END LOOP;
END $$;
