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

-- Where goods are sold. Master data: it comes by import.
CREATE TABLE shops (
  id text PRIMARY KEY CHECK (id ~ '^[a-z]{2}-[0-9]{3}$'),
  -- Global Location Number, 13 digits.
  gln text NOT NULL UNIQUE,
  name text NOT NULL,
  -- ISO 3166-1 alpha-2, lower case.
  country text NOT NULL,
  address text NOT NULL,
  postal_code text NOT NULL,
  city text NOT NULL,
  latitude double precision NOT NULL,
  longitude double precision NOT NULL,
  -- IANA name.
  time_zone text NOT NULL,
  status text NOT NULL CHECK (status IN ('open', 'temporarily-closed', 'closed')),
  -- Who sells there in law, and their number in the country's register, as a receipt prints it.
  seller text NOT NULL,
  seller_number text NOT NULL,
  version integer NOT NULL DEFAULT 1,
  changed_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE products (
  sku text PRIMARY KEY,
  -- GTIN-13. A barcode leads to one product.
  gtin text NOT NULL UNIQUE,
  name text NOT NULL,
  item_group text NOT NULL,
  -- True where each unit is sold by its serial number.
  is_serialised boolean NOT NULL,
  is_active boolean NOT NULL,
  version integer NOT NULL DEFAULT 1,
  changed_at timestamptz NOT NULL DEFAULT now()
);

-- What is in a shop: on_hand is the sum of its movements, reserved the sum of its open reservations. Both are kept by the commands,
-- in the transaction that writes what they are the sum of.
CREATE TABLE stock_levels (
  shop_id text NOT NULL REFERENCES shops (id),
  sku text NOT NULL REFERENCES products (sku),
  on_hand integer NOT NULL DEFAULT 0 CHECK (on_hand >= 0),
  reserved integer NOT NULL DEFAULT 0 CHECK (reserved >= 0),
  changed_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (shop_id, sku),
  -- A reserved unit is there until it is handed over: what is consumed can always be taken.
  CHECK (reserved <= on_hand)
) WITH (fillfactor = 80);

-- Why a level is what it is. Append-only.
CREATE TABLE stock_movements (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  shop_id text NOT NULL,
  sku text NOT NULL,
  -- The condition of the goods; levels count what can be sold.
  status text NOT NULL DEFAULT 'SELLABLE' CHECK (status = 'SELLABLE'),
  type text NOT NULL CHECK (type IN ('OPENING', 'RECEIPT', 'SALE', 'RETURN', 'ADJUST', 'FOUND', 'DAMAGE')),
  delta integer NOT NULL CHECK (delta <> 0),
  document_type text NOT NULL,
  document_id text NOT NULL,
  -- Tells apart what one document says twice of one product, e.g. two pallets of a delivery.
  line_key text NOT NULL DEFAULT '',
  -- Who wrote it: the token's subject, an opaque id.
  subject text NOT NULL,
  occurred_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  FOREIGN KEY (shop_id, sku) REFERENCES stock_levels (shop_id, sku),
  -- The same document posted twice is one set of movements.
  UNIQUE (document_type, document_id, shop_id, sku, type, line_key)
);
CREATE INDEX stock_movements_level ON stock_movements (shop_id, sku, id);

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% is append-only', TG_TABLE_NAME;
END $$;
CREATE TRIGGER stock_movements_append_only BEFORE UPDATE OR DELETE ON stock_movements FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER stock_movements_no_truncate BEFORE TRUNCATE ON stock_movements EXECUTE FUNCTION refuse_change();

-- ACTIVE → FIRM → CONSUMED; ACTIVE → RELEASED or EXPIRED; FIRM → RELEASED.
CREATE TABLE reservations (
  -- Chosen by the caller; unique for ever.
  id uuid PRIMARY KEY,
  -- Null only for one that was released before it was made. No reference to shops: a level of the shop was locked to get here,
  -- and a reference would lock the shop's row for each sale.
  shop_id text,
  state text NOT NULL CHECK (state IN ('ACTIVE', 'FIRM', 'CONSUMED', 'RELEASED', 'EXPIRED')),
  -- SHA-256 over what was asked for, to tell a repetition from another request under the same id. Null as shop_id is.
  fingerprint text,
  -- What it is for, e.g. sale:<id>.
  reference text NOT NULL DEFAULT '',
  expires_at timestamptz,
  -- The document that consumed it.
  document_type text,
  document_id text,
  subject text NOT NULL,
  role text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  changed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  CHECK ((state = 'ACTIVE') = (expires_at IS NOT NULL)),
  CHECK ((state = 'CONSUMED') = (document_id IS NOT NULL)),
  CHECK (shop_id IS NOT NULL OR state = 'RELEASED')
);
CREATE INDEX reservations_open ON reservations (expires_at) WHERE state IN ('ACTIVE', 'FIRM');

CREATE TABLE reservation_lines (
  reservation_id uuid NOT NULL REFERENCES reservations (id),
  sku text NOT NULL,
  quantity integer NOT NULL CHECK (quantity > 0),
  PRIMARY KEY (reservation_id, sku)
);

-- The change feed. A change is written in the transaction that makes it, while that holds the row it is about: by one key, ids come
-- in the order of commits. The sequencer moves committed changes to stock_changes and gives them dense numbers.
CREATE TABLE pending_changes (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  topic text NOT NULL CHECK (topic IN ('PRODUCT', 'SHOP', 'LEVEL')),
  -- sku, shop id, or shop id and sku.
  key text NOT NULL,
  -- The row's new state.
  payload jsonb NOT NULL,
  changed_at timestamptz NOT NULL
);

CREATE TABLE stock_changes (
  seq bigint PRIMARY KEY,
  topic text NOT NULL,
  key text NOT NULL,
  payload jsonb NOT NULL,
  changed_at timestamptz NOT NULL
);

-- One row.
CREATE TABLE feed (
  is_only boolean PRIMARY KEY DEFAULT true CHECK (is_only),
  -- Another one says that the numbering began anew: set it by hand after restoring this database from a dump.
  epoch uuid NOT NULL DEFAULT gen_random_uuid(),
  last_seq bigint NOT NULL DEFAULT 0,
  -- Changes up to this one are gone; whoever stands before it needs a snapshot.
  pruned_through bigint NOT NULL DEFAULT 0
);
INSERT INTO feed DEFAULT VALUES;

CREATE TABLE imports (
  id uuid PRIMARY KEY,
  kind text NOT NULL CHECK (kind IN ('products', 'shops', 'opening-stock')),
  state text NOT NULL CHECK (state IN ('RUNNING', 'DONE', 'FAILED')),
  subject text NOT NULL,
  rows integer NOT NULL DEFAULT 0,
  accepted integer NOT NULL DEFAULT 0,
  unchanged integer NOT NULL DEFAULT 0,
  refused integer NOT NULL DEFAULT 0,
  -- A running import pushes this on with each batch; past it, a repeated request takes the import over.
  leased_until timestamptz NOT NULL,
  started_at timestamptz NOT NULL DEFAULT now(),
  ended_at timestamptz
);

CREATE TABLE import_refusals (
  import_id uuid NOT NULL REFERENCES imports (id),
  -- As a spreadsheet numbers it: the header is row 1.
  "row" integer NOT NULL,
  -- Empty where it is the row as a whole.
  "column" text NOT NULL,
  code text NOT NULL,
  detail text NOT NULL,
  PRIMARY KEY (import_id, "row")
);

-- Who did what that not everyone may do. Append-only.
CREATE TABLE privileged_acts (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  act text NOT NULL,
  -- What it was done to, e.g. product:E100001.
  target text NOT NULL,
  detail jsonb NOT NULL,
  subject text NOT NULL,
  role text NOT NULL,
  acted_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE TRIGGER privileged_acts_append_only BEFORE UPDATE OR DELETE ON privileged_acts FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER privileged_acts_no_truncate BEFORE TRUNCATE ON privileged_acts EXECUTE FUNCTION refuse_change();
