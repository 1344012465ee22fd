-- The roles of Recourse, made by a superuser when the database is: psql --dbname=recourse --file=postgres-roles.sql
-- with DATABASE_OWNER_PASSWORD and DATABASE_PASSWORD in the environment. `recourse database upgrade` grants the rest.
\set ON_ERROR_STOP on
-- Other names: --variable=app=NAME --variable=owner=NAME.
\if :{?app} \else \set app recourse \endif
\if :{?owner} \else \set owner recourse_owner \endif
\getenv owner_password DATABASE_OWNER_PASSWORD
\getenv password DATABASE_PASSWORD

BEGIN;
-- Owns the tables: migrations connect as it, and nothing else.
CREATE ROLE :"owner" LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD :'owner_password';
-- The application: it reads and writes rows, and changes no table.
CREATE ROLE :"app" LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD :'password';

SELECT format('ALTER DATABASE %I OWNER TO %I', current_database(), :'owner') \gexec
SELECT format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database()) \gexec
-- TEMPORARY: imports hold their lines in a table of the session's own.
SELECT format('GRANT CONNECT, TEMPORARY ON DATABASE %I TO %I', current_database(), :'app') \gexec
COMMIT;
