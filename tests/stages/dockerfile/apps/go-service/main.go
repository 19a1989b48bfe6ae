package main

import (
	"fmt"
	"log"
	"net/http"
)

func main() {
	http.HandleFunc("/", func(answer http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(answer, "hello from go")
	})
	log.Fatal(http.ListenAndServe(":8080", nil))
}
