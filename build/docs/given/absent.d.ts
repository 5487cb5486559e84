// Packages that pages speak of and that are not installed here: their side of a swap is looked at for its grammar alone.
declare module 'cache-manager-ioredis-yet'
declare module 'cache-manager-redis-yet'
declare module 'express-slow-down'
declare module 'graphile-worker'
declare module 'pg-boss'
declare module 'prom-client'
