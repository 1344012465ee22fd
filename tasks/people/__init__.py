"""What people do and have, a file a noun: each command checks who may, writes, and notes it in the audit."""
