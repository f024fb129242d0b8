// SPDX-License-Identifier: MIT
// Jedis: PORT as the only argument. A round trip in RESP2 and RESP3.
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import redis.clients.jedis.DefaultJedisClientConfig;
import redis.clients.jedis.HostAndPort;
import redis.clients.jedis.Jedis;
import redis.clients.jedis.Pipeline;
import redis.clients.jedis.RedisProtocol;
import redis.clients.jedis.exceptions.JedisDataException;
import redis.clients.jedis.params.ScanParams;
import redis.clients.jedis.params.SetParams;
import redis.clients.jedis.resps.ScanResult;

public class Main {
    static void check(boolean good, String what) {
        if (!good) {
            throw new AssertionError(what);
        }
    }

    static void strings(Jedis jedis) {
        check(jedis.ping().equals("PONG"), "PING");
        jedis.flushAll();
        check(jedis.set("k", "value", SetParams.setParams().ex(100)).equals("OK"), "SET EX");
        check(jedis.get("k").equals("value") && jedis.get("none") == null, "GET");
        check(jedis.ttl("k") > 0 && jedis.ttl("k") <= 100, "TTL");
        check(jedis.set("k", "no", SetParams.setParams().nx()) == null, "SET NX");
        jedis.mset("a", "1", "b", "2");
        List<String> values = jedis.mget("a", "none", "b");
        check(values.get(0).equals("1") && values.get(1) == null, "MGET");
        check(jedis.incrBy("a", 41) == 42 && jedis.append("b", "34") == 3, "INCRBY, APPEND");
        try {
            jedis.incr("k");
            check(false, "an error");
        } catch (JedisDataException error) {
            check(error.getMessage().contains("not an integer"), error.getMessage());
        }
    }

    static void keys(Jedis jedis) {
        Pipeline pipeline = jedis.pipelined();
        for (int i = 0; i < 2000; i++) {
            pipeline.set("key:" + i, "" + i);
        }
        check(pipeline.syncAndReturnAll().size() == 2000, "a pipeline");
        Set<String> found = new HashSet<>();
        String cursor = ScanParams.SCAN_POINTER_START;
        do {
            ScanResult<String> page =
                jedis.scan(cursor, new ScanParams().match("key:*").count(300));
            found.addAll(page.getResult());
            cursor = page.getCursor();
        } while (!cursor.equals("0"));
        check(found.size() == 2000, "SCAN: " + found.size());
        check(jedis.expire("key:1", 100) == 1 && jedis.persist("key:1") == 1, "EXPIRE, PERSIST");
        check(jedis.exists("key:1", "none") == 1 && jedis.del("key:1") == 1, "EXISTS, DEL");
        check(jedis.type("a").equals("string") && jedis.dbSize() == 2002, "TYPE, DBSIZE");
        check(jedis.info("server").contains("redis_version:7"), "INFO");
        check(jedis.configGet("maxmemory-policy").get("maxmemory-policy").equals("noeviction"),
              "CONFIG GET");
        check(jedis.clientGetname().equals("jedis"), "CLIENT GETNAME");
    }

    public static void main(String[] arguments) {
        HostAndPort server = new HostAndPort("127.0.0.1", Integer.parseInt(arguments[0]));
        for (RedisProtocol protocol : RedisProtocol.values()) {
            try (Jedis jedis = new Jedis(server, DefaultJedisClientConfig.builder()
                                             .protocol(protocol).clientName("jedis").build())) {
                strings(jedis);
                keys(jedis);
            }
        }
        System.out.println("all is well");
    }
}
