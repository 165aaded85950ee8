-- Binds a session to an account (see shared-sticky.ts).  KEYS 1 binding   ARGV 1 new value   2 ttl ms.  Returns what it was before, or nil.

local before = redis.call('GET', KEYS[1])
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return before
