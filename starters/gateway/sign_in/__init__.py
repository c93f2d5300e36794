"""People sign in at their own identity provider: OpenID Connect, code flow with PKCE.

`web` is what is asked of the outside, `provider` what an identity provider says of itself and
exchanges, `keys` its public keys, `id_token` the judgement on its word, `session` what we remember
in a cookie, `flow` the order of it, `routes` the doors. Without an issuer none of it is mounted.

An identity provider that is down signs nobody in. Who is signed in stays so: a session needs
nobody but us.
"""
