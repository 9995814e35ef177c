-- Roles and slots. The first primary runs this once; the standbys get it with the base backup.
-- The passwords come from the environment, so they appear neither in this file nor in any process list.
\getenv replication_user REPLICATION_USER
\getenv replication_password REPLICATION_PASSWORD
\getenv lab_user LAB_USER
\getenv lab_password LAB_PASSWORD
\getenv database POSTGRES_DB
\getenv node NODE_NAME
\getenv nodes CLUSTER_NODES
\getenv conninfo PRIMARY_CONNINFO

-- A statement that fails is logged with its text, and here the text would hold a password.
SET log_min_error_statement = panic;

-- May replicate, and nothing else: pg_hba.conf lets it into no database.
CREATE ROLE :"replication_user" LOGIN REPLICATION PASSWORD :'replication_password';

-- What the lab's own commands need, instead of a superuser. REPLICATION is what creating and dropping slots asks for.
CREATE ROLE :"lab_user" LOGIN REPLICATION PASSWORD :'lab_password';
GRANT pg_monitor, pg_checkpoint, pg_read_all_data TO :"lab_user";
GRANT CREATE ON DATABASE :"database" TO :"lab_user";
GRANT CREATE ON SCHEMA public TO :"lab_user";
GRANT EXECUTE ON FUNCTION pg_promote(boolean, integer) TO :"lab_user";
-- For pg_rewind: https://www.postgresql.org/docs/current/app-pgrewind.html
GRANT EXECUTE ON FUNCTION
  pg_ls_dir(text, boolean, boolean),
  pg_stat_file(text, boolean),
  pg_read_binary_file(text),
  pg_read_binary_file(text, bigint, bigint, boolean) TO :"lab_user";

-- One physical slot for each node that will follow, named as the node.
SELECT pg_create_physical_replication_slot(name)
FROM unnest(string_to_array(:'nodes', ',')) AS name
WHERE name <> :'node';

-- This node is the primary now. When it comes back as a standby one day, this is how it finds the primary of that day.
ALTER SYSTEM SET primary_conninfo = :'conninfo';
