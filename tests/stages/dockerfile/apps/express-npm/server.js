const express = require("express");

const app = express();
const port = process.env.PORT || 3000;

app.get("/", (_, response) => response.send("hello from express"));
app.listen(port, () => console.log(`listening on ${port}`));
