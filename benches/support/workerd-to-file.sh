#!/bin/sh
# Stands in for workerd, and becomes it: notes the process, and sends its log to a file, so that a benchmark measures
# what writing the log costs but reads none of it.
echo "$$" >"$WORKERD_PID_FILE"
exec "$WORKERD" "$@" >"$WORKERD_LOG_FILE"
