-- One row per question, whether answered or not. Money is in billionths of a US dollar.
CREATE TABLE requests (
  key TEXT PRIMARY KEY,
  purpose TEXT NOT NULL,
  subject TEXT NOT NULL,
  model TEXT NOT NULL,
  prompt_version TEXT NOT NULL,
  image_sha256 TEXT NOT NULL,
  draw INTEGER NOT NULL
) WITHOUT ROWID;

-- An intent: written before a request is sent online or put into a batch. `ended` is null while it
-- may still be answered; a second attempt at the same key is only made when no other is open.
CREATE TABLE attempts (
  id INTEGER PRIMARY KEY,
  key TEXT NOT NULL,
  run INTEGER REFERENCES runs (id),       -- of an online attempt
  batch TEXT REFERENCES batches (tag),    -- of a batched one
  reserved INTEGER NOT NULL,              -- what it may cost at most
  started REAL NOT NULL,                  -- seconds since 1970
  ended REAL,
  outcome TEXT NOT NULL DEFAULT ''        -- reply; lost (may have been paid); else why not sent or refused
);
CREATE UNIQUE INDEX open_attempts ON attempts (key) WHERE ended IS NULL;
CREATE INDEX open_by_batch ON attempts (batch) WHERE ended IS NULL;

-- What came back, as it came. `current` is 0 for replies that were put aside to ask again.
CREATE TABLE replies (
  id INTEGER PRIMARY KEY,
  key TEXT NOT NULL,
  current INTEGER NOT NULL DEFAULT 1,
  via TEXT NOT NULL,                      -- online, batch
  api TEXT NOT NULL,
  http_status INTEGER NOT NULL,           -- 0: never a reply; raw says why
  raw BLOB NOT NULL,                      -- zlib
  model TEXT NOT NULL,                    -- as the endpoint named it
  input_tokens INTEGER NOT NULL,
  cached_tokens INTEGER NOT NULL,
  output_tokens INTEGER NOT NULL,
  cost INTEGER NOT NULL,
  seconds REAL NOT NULL,
  at REAL NOT NULL
);
CREATE UNIQUE INDEX current_replies ON replies (key) WHERE current = 1;

-- A process that sends online. While it lives it holds the lock file of this id.
CREATE TABLE runs (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  pid INTEGER NOT NULL,
  started REAL NOT NULL
);

CREATE TABLE batches (
  tag TEXT PRIMARY KEY,                   -- ours, in the batch's metadata: finds it again after a crash
  base_url TEXT NOT NULL,                 -- the endpoint that has it
  model TEXT NOT NULL,
  api TEXT NOT NULL,
  state TEXT NOT NULL,                    -- intended, creating, submitted, ended
  file_id TEXT,
  batch_id TEXT,
  status TEXT NOT NULL DEFAULT '',        -- as the endpoint says: validating, in_progress, completed, ...
  requests INTEGER NOT NULL,
  bytes INTEGER NOT NULL DEFAULT 0,
  created REAL NOT NULL,
  asked REAL,                             -- when its creation was last asked for
  asked_times INTEGER NOT NULL DEFAULT 0, -- more than once: the endpoint may have it twice
  queued INTEGER NOT NULL DEFAULT 0,      -- requests that were too many for the endpoint's queue
  ended REAL,
  note TEXT NOT NULL DEFAULT ''
);

-- One row: what was paid, what open attempts may cost, what attempts without a reply may have cost.
CREATE TABLE money (
  spent INTEGER NOT NULL,
  reserved INTEGER NOT NULL,
  lost INTEGER NOT NULL
);
INSERT INTO money VALUES (0, 0, 0);

-- What was learnt of an endpoint, so that it is not asked again.
CREATE TABLE endpoints (
  base_url TEXT NOT NULL,
  model TEXT NOT NULL,
  api TEXT NOT NULL,
  PRIMARY KEY (base_url, model)
);
