"""Ready participants, as plug-ins: `scorm_cloud`, `moodle`, `lti_ags`.

Their options come from `recourse participants add --plugin … --option NAME=VALUE`, as text.
"""
