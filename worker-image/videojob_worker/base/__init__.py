"""The ground floor: errors with their exit codes, processes with limits and watchdogs. Knows no stage and no media."""
