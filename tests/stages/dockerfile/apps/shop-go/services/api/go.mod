module example.com/shop/api

go 1.21

require example.com/shop/prices v0.0.0
