-- Creates the roles of Recourse. Run it once as a superuser, with DATABASE_OWNER_PASSWORD and DATABASE_PASSWORD in the
-- environment: psql --dbname=recourse --file=postgres-roles.sql. `recourse database upgrade` grants the rest.
\set ON_ERROR_STOP on
-- For other names: --variable=app=NAME --variable=owner=NAME.
\if :{?app} \else \set app recourse \endif
\if :{?owner} \else \set owner recourse_owner \endif
\getenv owner_password DATABASE_OWNER_PASSWORD
\getenv password DATABASE_PASSWORD

BEGIN;
-- Owns the tables. Only migrations connect as it.
CREATE ROLE :"owner" LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD :'owner_password';
-- The application: reads and writes rows, and cannot change tables.
CREATE ROLE :"app" LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD :'password';

SELECT format('ALTER DATABASE %I OWNER TO %I', current_database(), :'owner') \gexec
SELECT format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database()) \gexec
-- TEMPORARY: imports use temporary tables.
SELECT format('GRANT CONNECT, TEMPORARY ON DATABASE %I TO %I', current_database(), :'app') \gexec
COMMIT;
