package main

import (
	"fmt"
	"log"
	"net/http"

	"example.com/shop/prices"
)

func main() {
	http.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, "a member of a workspace of go, %s", prices.Shown(300))
	})
	log.Fatal(http.ListenAndServe(":8080", nil))
}
