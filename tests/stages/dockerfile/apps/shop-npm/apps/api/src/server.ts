import fastify from 'fastify'
import { shown } from '@shop/prices'

const app = fastify()
app.get('/', async () => `a member of a workspace of npm, ${shown(300)}`)
app.listen({ host: '0.0.0.0', port: Number(process.env.PORT ?? 3000) })
