package prices

import "fmt"

// Shown tells a price in coins.
func Shown(cents int) string { return fmt.Sprintf("%d coins", cents/100) }
