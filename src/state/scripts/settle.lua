-- Settlement: reservations become use, once (BIL-8). ARGV  5 request id   6 late ('1')   7-11 actual amounts   12 takes. Returns 1, or 0.

local function settle()
  local id, is_late, actual = argument(), argument() == '1', amounts()
  local phase, takes = record_of(id)
  if phase == 's' or is_done(id) then return 0 end
  if phase then
    release(takes, actual, is_late)
  else
    takes = parse_takes(argument())
    add_late(takes, actual)
  end
  local used = durable_use(takes, actual)
  if #used > 0 then put_settled(id, used) else put_done(id) end
  return 1
end

local reply = settle()
commit()
return reply
