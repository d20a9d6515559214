#!/bin/sh
# Replaces itself with workerd: writes the process id to a file and redirects the log to a file. A benchmark thus
# measures the cost of writing the log, but not of reading it.
echo "$$" >"$WORKERD_PID_FILE"
exec "$WORKERD" "$@" >"$WORKERD_LOG_FILE"
