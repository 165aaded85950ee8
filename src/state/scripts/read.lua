-- ARGV  5… counters. Returns the time and the counters as stored ('' for unknown ones).

local counters = {}
while at < #ARGV do counters[#counters + 1] = argument() end
load(counters)
commit()
local reply = { digits(now) }
for i, counter in ipairs(counters) do
  local bucket = bucket_of(counter)
  reply[i + 1] = bucket and table.concat({
    digits(bucket.start), digits(bucket.used), digits(bucket.reserved), bucket.standing, bucket.most and digits(bucket.most) or '-',
  }, ' ') or ''
end
return reply
