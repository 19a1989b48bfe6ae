module example.com/shop

go 1.22

toolchain go1.22.3

require (
	github.com/gin-gonic/gin v1.9.1
	golang.org/x/text v0.3.7 // indirect
	gopkg.in/yaml.v2 v2.2.2 // indirect
)

require example.com/shared v0.0.0

require github.com/old/name v1.0.0

replace (
	example.com/shared => ../shared
	github.com/old/name v1.0.0 => github.com/new/name v1.2.0
)

exclude golang.org/x/text v0.3.6
