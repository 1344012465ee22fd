"""Single sign-on with the OpenID Connect provider of an organization.

    http       one request to a provider: to allowed addresses, limited in time and size
    endpoints  where a provider's endpoints and keys are, by its own document
    client     the authorization code flow, userinfo, and new tokens
    verify     ID tokens and logout tokens
    roles      permissions from claims
    who        the user that claims name: found, bound, or added
    sign_in    begin, prove and finish a sign-in
    check      ask the provider again about a session
    sign_out   end a session there, and here when it ended there
    commands   set, show and remove a provider; passwords off and on

Whatever waits for a provider is apart from whatever uses the database: `sign_in.prove`, `check.ask_again` and the
functions of `endpoints` and `client` are called outside of any transaction.
"""
