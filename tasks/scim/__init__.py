"""SCIM 2.0 (RFC 7643, RFC 7644): an identity provider adds, changes and removes users and groups.

    resources   users and groups as SCIM describes them
    filters     filters as conditions in SQL
    listing     a part of a list
    users       requests about users
    groups      requests about groups
    members     what a request says about a group's members

The commands of `tasks/people/` do the work. Only the web app imports this room.
"""
