-- ARGV: id, receipt, visibility. Prolongs a claim.

local id = ARGV[1]
local job, refusal = claimed(id, ARGV[2])
if not job then
  return refusal
end
local visible = from_now(ARGV[3])
call('ZADD', DUE, visible, id)
call('ZADD', RUNNING, visible, id)
return YES
