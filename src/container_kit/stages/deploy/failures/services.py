"""Causes at services that the application needs: databases, brokers, caches and other servers."""

from __future__ import annotations

from collections.abc import Sequence

from container_kit.stages.contract import expressions as re
from container_kit.stages.contract.fault import NextAction
from container_kit.stages.contract.placeholder import placeholder
from container_kit.stages.contract.tool_names import ToolName
from container_kit.stages.deploy.failures.cause import Facts, cause, rebuild
from container_kit.stages.deploy.failures.crash import Crash

_KINDS = {
    "postgres": r"(?i)postgres|psycopg|asyncpg|\bpg_|\bpq:|libpq|:5432|node_modules/pg/|PG::|pgx|npgsql",
    "redis": r"(?i)redis|:6379|valkey",
    "mysql": r"(?i)mysql|mariadb|:3306|SQLSTATE\[HY000\] \[2002\]",
    "mongodb": r"(?i)mongo|:27017",
    "rabbitmq": r"(?i)rabbit|amqp|:5672|kombu|pika",
    "kafka": r"(?i)kafka|:9092|KafkaJS|librdkafka",
    "elasticsearch": r"(?i)elasticsearch|opensearch|:9200",
    "memcached": r"(?i)memcache|:11211",
    "smtp": r"(?i)smtp|:1025|:587|:465",
    "s3": r"(?i)minio|:9000|\bs3\b|boto",
    "nats": r"(?i)\bnats\b|:4222",
    "cassandra": r"(?i)cassandra|:9042",
    "mssql": r"(?i)mssql|sqlserver|:1433",
    "influxdb": r"(?i)influx|:8086",
    "etcd": r"(?i)etcd|:2379",
    "temporal": r"(?i)temporal|:7233",
}
_STARTABLE = ("postgres", "redis")
_VARIABLES = {"postgres": "DATABASE_URL", "redis": "REDIS_URL", "mysql": "DATABASE_URL", "mongodb": "MONGODB_URI",
    "rabbitmq": "RABBITMQ_URL", "kafka": "KAFKA_BROKERS", "elasticsearch": "ELASTICSEARCH_URL",
    "memcached": "MEMCACHED_URL", "smtp": "SMTP_HOST", "s3": "S3_ENDPOINT", "nats": "NATS_URL",
    "mssql": "DATABASE_URL"}  # fmt: skip


def _kind(crash: Crash, text: str) -> str:
    """Return the kind of the service that a text is about; the analysis decides if the text does not."""
    for kind, expression in _KINDS.items():
        if re.search(expression, text):
            return kind
    return next(iter(crash.services)) if len(crash.services) == 1 else "service"


def _named(crash: Crash, facts: Facts) -> bool:
    """Add the kind, the address and the variable of the service to the facts."""
    text = facts["text"] or facts["address"]
    facts["kind"] = _kind(crash, text)
    if facts["kind"] == "service":
        facts["kind"] = _kind(crash, crash.log[-6000:])
    facts["variable"] = crash.services.get(facts["kind"]) or _VARIABLES.get(facts["kind"], "")
    return True


def _start_service(_crash: Crash, facts: Facts) -> Sequence[NextAction]:
    """Propose to start the service with the application if the kind can be started; else to give its address."""
    kind, variable = facts["kind"], facts["variable"]
    actions = []
    if kind in _STARTABLE:
        why = f"Start {kind} with the application; {variable} gets its address"
        actions.append(NextAction(tool=ToolName.FULL_DEPLOYMENT, why=why, arguments={"services": True}))
    if variable:
        why = f"Give the address of a {kind} that the container reaches (not localhost) in {variable}"
        actions.append(NextAction(why=why, arguments={"env": {variable: placeholder(variable)}}))
    return actions or [rebuild("Correct the address of the service in the configuration; localhost is the container")]


def _give_value(_crash: Crash, facts: Facts) -> Sequence[NextAction]:
    variable = facts["variable"]
    if not variable:
        return ()
    why = f"Give {variable} with the right credentials and database"
    return [NextAction(why=why, arguments={"env": {variable: placeholder(variable)}})]


_REFUSED = r"(?:ECONNREFUSED|[Cc]onnection refused|actively refused|Errno 111|No connection could be made)"
CAUSES = (
    cause(
        "deploy.service_tls",
        "The TLS settings of the application and its service do not fit.",
        (
            r"(?P<text>server does not support SSL[^\n]{0,120}|The server does not support SSL connections)",
            r"(?P<text>no pg_hba\.conf entry for [^\n]{0,160}(?:SSL off|no encryption))",
            r"(?P<text>[^\n]{0,160}SSL (?:connection|SYSCALL)[^\n]{0,40}(?:required|error)[^\n]{0,80})",
            r"(?P<text>SSL connection is required[^\n]{0,80}|self[- ]signed certificate(?: in certificate chain)?[^\n]{0,40}(?:postgres|redis|mysql|mongo)[^\n]{0,40})",
            r"(?P<text>[^\n]{0,120}(?:redis|postgres|mysql|mongo|amqp|kafka)[^\n]{0,120}(?:WRONG_VERSION_NUMBER|wrong version number|tlsv1 alert|CERTIFICATE_VERIFY_FAILED))",
        ),
        "the TLS settings do not fit the {kind}: {text}",
        "Set the mode in {variable} (postgres: `?sslmode=disable` or `require`; redis: `redis://` or `rediss://`), or trust its CA",
        actions=_give_value,
        when=_named,
    ),
    cause(
        "deploy.service_unauthorized",
        "A service rejects the credentials of the application.",
        (
            r"(?P<text>password authentication failed[^\n]{0,160}|no password supplied|fe_sendauth[^\n]{0,60}|SASL: SCRAM[^\n]{0,100}|role \"[^\"]{1,60}\" does not exist)",
            r"(?P<text>(?:NOAUTH|WRONGPASS|NOPERM) [^\n]{0,120}|invalid username-password pair[^\n]{0,60}|Client sent AUTH, but no password is set)",
            r"(?P<text>Access denied for user [^\n]{0,160}|ER_ACCESS_DENIED_ERROR[^\n]{0,60}|ER_NOT_SUPPORTED_AUTH_MODE)",
            r"(?P<text>(?:Mongo\w{0,20}Error|OperationFailure|pymongo)[^\n]{0,60}(?:Authentication failed|requires authentication|auth failed)[^\n]{0,80}|ACCESS_REFUSED[^\n]{0,100})",
            r"(?P<text>Login failed for user[^\n]{0,100})",
        ),
        "the {kind} rejects the credentials: {text}",
        "Correct user and password in {variable}",
        actions=_give_value,
        when=_named,
    ),
    cause(
        "deploy.database_not_found",
        "The database server answers, but has no database of that name.",
        (
            r"(?P<text>database \"(?P<database>[^\"]{1,80})\" does not exist)",
            r"(?P<text>Unknown database '(?P<database>[^']{1,80})')",
            r"(?P<text>Database [`'\"](?P<database>[^`'\"]{1,80})[`'\"] does not exist|P1003)",
            r"(?P<text>Cannot open database \"(?P<database>[^\"]{1,80})\")",
        ),
        "the {kind} has no database {database}",
        "Create the database {database}, or correct its name in {variable}",
        actions=_give_value,
        when=_named,
    ),
    cause(
        "deploy.migration_pending",
        "The database has not the tables or columns that this version needs.",
        (
            r"(?P<text>no such (?:table|column): (?P<table>[\w.]{1,80}))",
            r"(?P<text>(?:relation|column) \"(?P<table>[\w.]{1,80})\" does not exist)",
            r"(?P<text>Table '(?P<table>[\w.]{1,80})' doesn't exist|Unknown column '(?P<table>[\w.]{1,80})')",
            r"(?P<text>The table `(?P<table>[\w.]{1,80})` does not exist in the current database|P2021)",
            r"(?P<text>unapplied migration\(s\)|PendingMigrationError|Migrations are pending|pending migrations?|Target database is not up to date|Can't locate revision)",
            r"(?P<text>Base table or view not found[^\n]{0,100}|UndefinedTable[^\n]{0,80}|Schema-validation: missing table \[(?P<table>\w{1,80})\])",
        ),
        "the database does not have what a migration creates: {table} {text}",
        "Run the migrations before the start (`python manage.py migrate`, `alembic upgrade head`, `prisma migrate deploy`, "
        "`knex migrate:latest`, `rails db:migrate`, `php artisan migrate --force`), as a step before the start command",
        when=_named,
    ),
    cause(
        "deploy.schema_not_found",
        "The database has no schema of that name.",
        (r"(?P<text>schema \"(?P<schema>[\w.]{1,80})\" does not exist|InvalidSchemaName|no schema has been selected)",),
        "the database has no schema {schema}",
        "Create the schema {schema} in a migration, or correct the search path",
        when=_named,
    ),
    cause(
        "deploy.dns_failure",
        "A host name cannot be resolved inside the container.",
        (
            r"getaddrinfo (?:ENOTFOUND|EAI_AGAIN) (?P<address>[\w.-]{1,200})",
            r"could not translate host name \"(?P<address>[^\"]{1,200})\"",
            r"(?P<text>[^\n]{0,200}(?:Name or service not known|Temporary failure in name resolution|nodename nor servname|Name does not resolve|No address associated with hostname)[^\n]{0,80})",
            r"lookup (?P<address>[\w.-]{1,200})(?: on [\w.:]{1,60})?: (?:no such host|server misbehaving|i/o timeout)",
            r"UnknownHostException: (?P<address>[\w.-]{1,200})|php_network_getaddresses[^\n]{0,80}(?P<text>[^\n]{0,60})|failed to lookup address information",
            r"Could not resolve host: (?P<address>[\w.-]{1,200})|Unknown (?:MySQL server )?host '?(?P<address>[\w.-]{1,200})",
        ),
        "the host name {address} of the {kind} cannot be resolved: {text}",
        "Give the address of the service in {variable}; names of Compose services are only known with the service",
        actions=_start_service,
        when=_named,
    ),
    cause(
        "deploy.service_unreachable",
        "A service that the application needs does not answer.",
        (
            rf"(?P<text>[^\n]{{0,240}}{_REFUSED}[^\n]{{0,160}})",
            r"(?P<text>[^\n]{0,160}(?:SQLSTATE\[HY000\] \[2002\]|Can't connect to (?:local )?(?:MySQL|MariaDB)|P1001|Can't reach database server)[^\n]{0,160})",
            r"(?P<text>[^\n]{0,160}(?:ServerSelectionTimeoutError|MongoServerSelectionError|MongoNetworkError|NoBrokersAvailable|KafkaJSConnectionError|KafkaJSNumberOfRetriesExceeded|AMQPConnectionError|NoHostAvailable)[^\n]{0,160})",
            r"(?P<text>[^\n]{0,160}(?:Connection attempt failed|Is the server running|connect ETIMEDOUT|ConnectTimeoutError|connection timed out|No route to host|EHOSTUNREACH|all brokers are down)[^\n]{0,160})",
            r"(?P<text>[^\n]{0,160}(?:Redis connection|redis\.exceptions\.ConnectionError|Error connecting to|Connection to \S{1,80} failed|could not connect to server)[^\n]{0,160})",
        ),
        "the {kind} does not answer: {text}",
        "Start the service with the application (full-deployment with services=true), or give its address in {variable}; "
        "localhost is the container itself",
        actions=_start_service,
        when=_named,
    ),
)
