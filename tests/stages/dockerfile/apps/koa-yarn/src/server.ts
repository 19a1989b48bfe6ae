import Koa from "koa";

const app = new Koa();
app.use((context) => {
  context.body = "hello from koa";
});
app.listen(Number(process.env.PORT ?? 3000));
