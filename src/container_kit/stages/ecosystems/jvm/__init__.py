"""Java, Kotlin, Scala and Clojure."""
