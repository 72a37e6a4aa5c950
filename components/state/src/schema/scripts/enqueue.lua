-- ARGV: id, payload, delay, most attempts, remember. Adds a job unless its id is taken.

local id = ARGV[1]

-- Ids that were remembered for long enough; a few per call keep the set as small as it can be.
local forgotten = call('ZRANGE', DONE, '-inf', now, 'BYSCORE', 'LIMIT', 0, 100)
if #forgotten > 0 then
  call('ZREM', DONE, unpack(forgotten))
end

if call('HEXISTS', JOBS, id) == 1 or tonumber(call('ZSCORE', DONE, id) or 0) > now then
  return NO
end
call('ZREM', DONE, id)
save(id, { attempts = 0, most = tonumber(ARGV[4]), remember = tonumber(ARGV[5]), receipt = 0, reason = '' })
call('HSET', PAYLOADS, id, ARGV[2])
call('ZADD', DUE, from_now(ARGV[3]), id)
return YES
