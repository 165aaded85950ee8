-- These requests are still under way. ARGV  5… request ids. Returns those that nothing is known of.

local lost = {}
while at < #ARGV do
  local id = argument()
  local phase = record_of(id)
  if phase == 'o' then
    redis.call('ZADD', KEYS[3], now + lease_ms, id)
  elseif not phase and not is_done(id) then
    lost[#lost + 1] = id
  end
end
keep(KEYS[2])
keep(KEYS[3])
commit()
return lost
