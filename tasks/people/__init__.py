"""Users, passwords, tokens, groups, sign-in, learners' writes, erasure: a file a noun."""
