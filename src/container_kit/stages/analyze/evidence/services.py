"""The services that a module needs, such as databases and brokers, by its client libraries."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from container_kit.stages.artifacts.analysis import Service, Variable
from container_kit.stages.docker.image_reference import short_name
from container_kit.stages.ecosystems.facets.detection.claims import ModuleDraft

CLIENTS: dict[str, tuple[str, ...]] = {
    "postgres": (
        "pg",
        "pg-promise",
        "postgres",
        "@prisma/adapter-pg",
        "psycopg2",
        "psycopg2-binary",
        "psycopg",
        "asyncpg",
        "pg8000",
        "github.com/lib/pq",
        "github.com/jackc/pgx",
        "github.com/jackc/pgx/v4",
        "github.com/jackc/pgx/v5",
        "gorm.io/driver/postgres",
        "postgresql",
        "r2dbc-postgresql",
        "quarkus-jdbc-postgresql",
        "tokio-postgres",
        "postgrex",
        "npgsql",
        "npgsql.entityframeworkcore.postgresql",
        "@vercel/postgres",
        "@neondatabase/serverless",
        "postgresql-simple",
    ),
    "mysql": (
        "mysql",
        "mysql2",
        "mariadb",
        "mysqlclient",
        "pymysql",
        "mysql-connector-python",
        "aiomysql",
        "asyncmy",
        "github.com/go-sql-driver/mysql",
        "gorm.io/driver/mysql",
        "mysql-connector-j",
        "mysql-connector-java",
        "mariadb-java-client",
        "myxql",
        "mysqlconnector",
        "pomelo.entityframeworkcore.mysql",
        "mysql_async",
    ),
    "sqlserver": (
        "mssql",
        "tedious",
        "pyodbc",
        "pymssql",
        "microsoft.data.sqlclient",
        "microsoft.entityframeworkcore.sqlserver",
        "mssql-jdbc",
        "gorm.io/driver/sqlserver",
    ),
    "mongodb": (
        "mongodb",
        "mongoose",
        "pymongo",
        "motor",
        "mongoengine",
        "beanie",
        "go.mongodb.org/mongo-driver",
        "mongoid",
        "mongo",
        "spring-boot-starter-data-mongodb",
        "mongodb-driver-sync",
        "mongodb.driver",
        "jenssegers/mongodb",
        "mongodb/laravel-mongodb",
    ),
    "redis": (
        "redis",
        "ioredis",
        "bull",
        "bullmq",
        "connect-redis",
        "aioredis",
        "django-redis",
        "rq",
        "github.com/redis/go-redis/v9",
        "github.com/go-redis/redis",
        "github.com/go-redis/redis/v8",
        "github.com/gomodule/redigo",
        "spring-boot-starter-data-redis",
        "jedis",
        "lettuce-core",
        "sidekiq",
        "resque",
        "predis/predis",
        "redix",
        "stackexchange.redis",
        "microsoft.extensions.caching.stackexchangeredis",
    ),
    "memcached": ("memcached", "pymemcache", "pylibmc", "dalli", "github.com/bradfitz/gomemcache"),
    "rabbitmq": (
        "amqplib",
        "amqp-connection-manager",
        "pika",
        "aio-pika",
        "kombu",
        "github.com/rabbitmq/amqp091-go",
        "github.com/streadway/amqp",
        "spring-boot-starter-amqp",
        "amqp-client",
        "bunny",
        "php-amqplib/php-amqplib",
        "rabbitmq.client",
        "masstransit.rabbitmq",
        "lapin",
    ),
    "kafka": (
        "kafkajs",
        "node-rdkafka",
        "kafka-python",
        "confluent-kafka",
        "aiokafka",
        "github.com/segmentio/kafka-go",
        "github.com/ibm/sarama",
        "github.com/shopify/sarama",
        "spring-kafka",
        "kafka-clients",
        "confluent.kafka",
        "rdkafka",
        "ruby-kafka",
    ),
    "nats": ("nats", "nats-py", "github.com/nats-io/nats.go", "async-nats"),
    "elasticsearch": (
        "@elastic/elasticsearch",
        "elasticsearch",
        "elasticsearch-dsl",
        "github.com/elastic/go-elasticsearch/v8",
        "spring-boot-starter-data-elasticsearch",
        "searchkick",
        "opensearch-py",
        "elastic.clients.elasticsearch",
    ),
    "cassandra": ("cassandra-driver", "github.com/gocql/gocql", "spring-boot-starter-data-cassandra"),
    "neo4j": ("neo4j-driver", "neo4j", "spring-boot-starter-data-neo4j"),
    "s3": (
        "@aws-sdk/client-s3",
        "boto3",
        "django-storages",
        "minio",
        "aws-sdk-s3",
        "league/flysystem-aws-s3-v3",
        "awssdk.s3",
    ),
    "smtp": ("nodemailer", "flask-mail", "fastapi-mail", "spring-boot-starter-mail", "mailkit"),
}
"""Kinds of service with the exact names of their client packages."""

_ADDRESSES: dict[str, tuple[str, ...]] = {
    "postgres": (
        "DATABASE_URL",
        "POSTGRES_URL",
        "POSTGRES_HOST",
        "PGHOST",
        "POSTGRESQL_URL",
        "DB_URL",
        "DB_HOST",
        "SPRING_DATASOURCE_URL",
    ),
    "mysql": ("DATABASE_URL", "MYSQL_URL", "MYSQL_HOST", "DB_URL", "DB_HOST", "SPRING_DATASOURCE_URL"),
    "sqlserver": ("DATABASE_URL", "MSSQL_HOST", "DB_HOST"),
    "mongodb": ("MONGODB_URI", "MONGO_URI", "MONGO_URL", "MONGODB_URL", "MONGO_HOST", "DATABASE_URL", "DB_URL"),
    "redis": ("REDIS_URL", "REDIS_URI", "REDIS_HOST", "CELERY_BROKER_URL"),
    "memcached": ("MEMCACHED_URL", "MEMCACHE_SERVERS", "MEMCACHED_HOST"),
    "rabbitmq": ("RABBITMQ_URL", "AMQP_URL", "CLOUDAMQP_URL", "RABBITMQ_HOST", "CELERY_BROKER_URL"),
    "kafka": ("KAFKA_BROKERS", "KAFKA_BOOTSTRAP_SERVERS", "KAFKA_BROKER", "KAFKA_URL", "KAFKA_HOST"),
    "nats": ("NATS_URL",),
    "elasticsearch": ("ELASTICSEARCH_URL", "ELASTIC_URL", "ELASTICSEARCH_HOST", "ELASTICSEARCH_HOSTS"),
    "cassandra": ("CASSANDRA_HOST", "CASSANDRA_HOSTS"),
    "neo4j": ("NEO4J_URI", "NEO4J_URL"),
    "s3": ("AWS_ENDPOINT_URL_S3", "S3_ENDPOINT", "MINIO_ENDPOINT", "AWS_S3_BUCKET", "S3_BUCKET"),
    "smtp": ("SMTP_HOST", "SMTP_URL", "MAIL_SERVER", "MAIL_HOST", "EMAIL_HOST"),
}
_KIND_OF = {package: kind for kind, packages in CLIENTS.items() for package in packages}
_IMAGES = {
    "postgres": "postgres",
    "postgis": "postgres",
    "timescaledb": "postgres",
    "mysql": "mysql",
    "mariadb": "mysql",
    "redis": "redis",
    "valkey": "redis",
    "mongo": "mongodb",
    "rabbitmq": "rabbitmq",
    "kafka": "kafka",
    "cp-kafka": "kafka",
    "elasticsearch": "elasticsearch",
    "opensearch": "elasticsearch",
    "minio": "s3",
    "memcached": "memcached",
    "nats": "nats",
    "mailhog": "smtp",
    "mailpit": "smtp",
    "neo4j": "neo4j",
    "cassandra": "cassandra",
    "server": "sqlserver",
}


def kind_of_image(image: str) -> str | None:
    """Return the kind of service that a well-known image runs."""
    name = short_name(image)
    return _IMAGES.get(name) if name != "server" or "mssql" in image else None


def services(
    draft: ModuleDraft, variables: Mapping[str, Variable], neighbours: Iterable[tuple[str, str]] = ()
) -> tuple[Service, ...]:
    """Return the services of a module, by its dependencies and by the other services of its compose file.

    Args:
        draft: The draft with the dependencies.
        variables: The variables that it reads.
        neighbours: Kinds of service with the places in deployment files that start them for this module.
    """
    found: dict[str, tuple[float, list[str]]] = {}
    for name, place in draft.dependencies.items():
        if kind := _KIND_OF.get(name):
            found.setdefault(kind, (0.9, []))[1].append(place)
    for kind, place in neighbours:
        found.setdefault(kind, (0.8, []))[1].append(place)
    return tuple(
        Service(kind=kind, variable=_address(kind, variables), confidence=trust, locations=tuple(locations[:3]))
        for kind, (trust, locations) in sorted(found.items())
    )


def _address(kind: str, variables: Mapping[str, Variable]) -> str | None:
    return next((name for name in _ADDRESSES[kind] if name in variables), None)
