-- Of the transaction it begins, whatever the database's default is. Not "set transaction" nor "set local", which warn outside a block: into the server's log, at every statement.
set transaction_isolation = 'read committed'
