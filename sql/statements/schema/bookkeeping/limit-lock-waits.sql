-- Whoever waits for the lock that a table's definition needs makes all others wait behind it, readers too: rather fail, and let
-- the next call try again.
set local lock_timeout = '5s'
