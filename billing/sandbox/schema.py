"""The tables of the sandbox's books, of both generations, and what a file of an earlier version still lacks."""

import sqlite3

TABLES = """
CREATE TABLE IF NOT EXISTS orders (
  order_id TEXT PRIMARY KEY, token_id TEXT NOT NULL, merchant_reference1 TEXT, merchant_reference2 TEXT,
  idempotency_key TEXT, currency TEXT NOT NULL, order_amount INTEGER NOT NULL, order_tax_amount INTEGER NOT NULL,
  captured_amount INTEGER NOT NULL DEFAULT 0, refunded_amount INTEGER NOT NULL DEFAULT 0, status TEXT NOT NULL,
  fraud_status TEXT NOT NULL, created_at TEXT NOT NULL, expires_at TEXT NOT NULL, klarna_reference TEXT NOT NULL,
  lines TEXT NOT NULL,
  CHECK (captured_amount BETWEEN 0 AND order_amount AND refunded_amount BETWEEN 0 AND captured_amount));
CREATE TABLE IF NOT EXISTS order_details (order_id TEXT PRIMARY KEY, details TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS captures (
  capture_id TEXT PRIMARY KEY, order_id TEXT NOT NULL, amount INTEGER NOT NULL, reference TEXT, description TEXT,
  captured_at TEXT NOT NULL, klarna_reference TEXT NOT NULL, lines TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS captures_of_order ON captures (order_id);
CREATE TABLE IF NOT EXISTS refunds (
  refund_id TEXT PRIMARY KEY, order_id TEXT NOT NULL, amount INTEGER NOT NULL, reference TEXT, description TEXT,
  refunded_at TEXT NOT NULL, lines TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS refunds_of_order ON refunds (order_id);
CREATE TABLE IF NOT EXISTS send_outs (
  id INTEGER PRIMARY KEY, order_id TEXT NOT NULL, capture_id TEXT NOT NULL, cause TEXT NOT NULL,
  sent_at TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS sessions (
  session_id TEXT PRIMARY KEY, intent TEXT NOT NULL, country TEXT NOT NULL, currency TEXT NOT NULL,
  created_at TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS authorizations (
  authorization_token TEXT PRIMARY KEY, session_id TEXT NOT NULL, behaviour TEXT NOT NULL, seed TEXT,
  created_at TEXT NOT NULL, used_at TEXT);
CREATE TABLE IF NOT EXISTS tokens (
  token_id TEXT PRIMARY KEY, behaviour TEXT NOT NULL, seed TEXT, status TEXT NOT NULL, currency TEXT NOT NULL,
  country TEXT NOT NULL, created_at TEXT NOT NULL, locale TEXT NOT NULL, suspended_until TEXT);
CREATE TABLE IF NOT EXISTS charges (
  token_id TEXT NOT NULL, reference TEXT NOT NULL, ordinal INTEGER NOT NULL, PRIMARY KEY (token_id, reference));
CREATE TABLE IF NOT EXISTS attempts (
  scope TEXT NOT NULL, idempotency_key TEXT NOT NULL, n INTEGER NOT NULL, PRIMARY KEY (scope, idempotency_key));
CREATE TABLE IF NOT EXISTS declines (
  id INTEGER PRIMARY KEY, token_id TEXT NOT NULL, merchant_reference1 TEXT, merchant_reference2 TEXT,
  idempotency_key TEXT, error_code TEXT NOT NULL, at TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS faults (
  id INTEGER PRIMARY KEY, fault TEXT NOT NULL, method TEXT NOT NULL, path TEXT NOT NULL, idempotency_key TEXT,
  reference TEXT, source TEXT NOT NULL CHECK (source IN ('token', 'script')), behaviour TEXT, at TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS faults_by_key ON faults (idempotency_key);
CREATE TABLE IF NOT EXISTS script (
  id INTEGER PRIMARY KEY, fault TEXT NOT NULL, method TEXT, path_contains TEXT, reference TEXT,
  times INTEGER NOT NULL, status INTEGER, error_code TEXT);
CREATE TABLE IF NOT EXISTS answers (
  idempotency_key TEXT PRIMARY KEY, call TEXT NOT NULL, status INTEGER NOT NULL, headers TEXT NOT NULL,
  content BLOB NOT NULL, at TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS voids (
  id INTEGER PRIMARY KEY, order_id TEXT NOT NULL, kind TEXT NOT NULL, amount INTEGER NOT NULL,
  idempotency_key TEXT, voided_at TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS changes (
  id INTEGER PRIMARY KEY, order_id TEXT NOT NULL, capture_id TEXT, kind TEXT NOT NULL, content TEXT NOT NULL,
  at TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS checkouts (
  checkout_id TEXT PRIMARY KEY, content TEXT NOT NULL, status TEXT NOT NULL, order_id TEXT, token_id TEXT,
  created_at TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS customer_numbers (number TEXT PRIMARY KEY, pno TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS settings (id INTEGER PRIMARY KEY CHECK (id = 1), content TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS clock (
  id INTEGER PRIMARY KEY CHECK (id = 1), frozen_at TEXT, offset_microseconds INTEGER NOT NULL);
"""

_ADDED = {
    "orders": {
        "generation": "TEXT NOT NULL DEFAULT 'rest'",
        "origin": "TEXT NOT NULL DEFAULT 'token'",
        "country": "TEXT NOT NULL DEFAULT 'DE'",
        "locale": "TEXT NOT NULL DEFAULT 'de-DE'",
        "original_amount": "INTEGER NOT NULL DEFAULT 0",
        "auto_capture": "INTEGER NOT NULL DEFAULT 0",
        "review": "TEXT",
        "review_at": "TEXT",
    },
    "captures": {
        "risk": "TEXT NOT NULL DEFAULT 'ok'",
        "details": "TEXT NOT NULL DEFAULT '{}'",
    },
    "refunds": {"kind": "TEXT NOT NULL DEFAULT 'refund'", "capture_id": "TEXT"},
    "sessions": {"content": "TEXT NOT NULL DEFAULT '{}'"},
    "tokens": {"generation": "TEXT NOT NULL DEFAULT 'rest'"},
    "script": {"options": "TEXT NOT NULL DEFAULT '{}'"},
}
"""Columns that came later, by table."""

_INDEXES = """
CREATE INDEX IF NOT EXISTS orders_by_reference1 ON orders (merchant_reference1) WHERE generation = 'legacy';
CREATE INDEX IF NOT EXISTS orders_by_reference2 ON orders (merchant_reference2) WHERE generation = 'legacy';
"""


def lay_out(db: sqlite3.Connection) -> None:
    """Makes every table and column that is missing; what is there stays as it is."""
    db.executescript(TABLES)
    for table, columns in _ADDED.items():
        there = {row[1] for row in db.execute(f"PRAGMA table_info({table})")}
        for column in columns.keys() - there:
            db.execute(f"ALTER TABLE {table} ADD COLUMN {column} {columns[column]}")
    db.executescript(_INDEXES)
