module example.com/shop/prices

go 1.21
