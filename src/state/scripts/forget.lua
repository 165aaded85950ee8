-- Something else moved these durable counters. ARGV  5… counters.

while at < #ARGV do doubt(argument()) end
commit()
