echo hunter2-secret-key; echo hunter2-secret-key >&2; exit 3
