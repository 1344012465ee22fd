CREATE TABLE scorm_state (
    registration uuid PRIMARY KEY,
    cmi jsonb NOT NULL
);
SELECT fence('scorm_state');
