# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#
# The report of a guest as TAP without a plan: each program's test points, with its
# name in front, and one more that says that it was complete. What a point that failed
# said follows it, and goes to stderr; there goes why one was skipped, too.
#
#   -v programs="NAME..."   which must be there
#   -v where=TEXT           how to call them all

function point(verdict, name)
{
	print verdict " " ++count " - " name
	if (verdict != "ok") {
		printf "%s", said
		printf "# %s: %s\n%s", where, name, said > "/dev/stderr"
	}
	said = ""
}

BEGIN {
	wanted = split(programs, program, " ")
}

{
	sub(/\r$/, "")
}

/^begin / {
	name = $2
	planned = -1
	points = failures = skipped = 0
	said = ""
	next
}

name == "" {
	next
}

/^finish / && $2 == name {
	begun[name] = 1
	sane = $3 == 0 ? failures == 0 : $3 == 4 ? skipped > 0 : failures > 0
	if (!sane || planned != points)
		said = said sprintf("#   exit status %s, %d of %d points\n", \
				    $3, points, planned)
	point(sane && planned == points ? "ok" : "not ok", name ": is complete")
	name = ""
	next
}

/^1\.\.[0-9]+/ {
	planned = substr($1, 4) + 0
	next
}

/^(not )?ok [0-9]+/ {
	verdict = /^not/ ? "not ok" : "ok"
	text = $0
	sub(/^(not )?ok [0-9]+( -)? ?/, "", text)
	points++
	failures += verdict != "ok"
	if (text ~ /^# SKIP|# SKIP/) {
		skipped++
		printf "# %s: %s: skipped: %s\n", where, name, \
			substr(text, index(text, "SKIP") + 5) > "/dev/stderr"
	}
	point(verdict, name ": " text)
	next
}

/^(TAP version|# *(RUN|OK|FAIL|Starting|PASSED|FAILED|Totals)|stage=|$)/ {
	next
}

{
	said = said "#   " $0 "\n"
}

END {
	for (i = 1; i <= wanted; i++)
		if (!(program[i] in begun))
			point("not ok", program[i] ": has ended")
}
