"""Django database backend for SQLite with a fair cross-process writer lock."""
