echo hunter2-secret-key
